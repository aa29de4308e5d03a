// ReDoc over our own schema, without its search, which would start a worker from a blob, and without its maker's picture,
// which would be asked for elsewhere.

const place = document.getElementById("redoc");
const isElsewhere = (value) => String(value).startsWith("https://cdn.");

const attribute = Element.prototype.setAttribute;
Element.prototype.setAttribute = function (name, value) {
  if (!(this instanceof HTMLImageElement && name === "src" && isElsewhere(value))) attribute.call(this, name, value);
};
const source = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
Object.defineProperty(HTMLImageElement.prototype, "src", {
  ...source,
  set(value) {
    if (!isElsewhere(value)) source.set.call(this, value);
  },
});

window.Redoc.init(place.dataset.schema, { disableSearch: true, hideDownloadButton: false, nativeScrollbars: true }, place);
