// A click on a button that needs a script counts even while the scripts are on their way: the last one is done when they are here.

"use strict";

(() => {
  let missed = null;
  const note = (event) => {
    missed = event.target.closest("[data-late], [data-explain]") ?? missed;
  };
  document.addEventListener("click", note, true);
  document.addEventListener("ready", () => {
    document.removeEventListener("click", note, true);
    if (missed?.isConnected) missed.click();
  });
})();
