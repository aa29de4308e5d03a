"""The one door to Gemini: everything that is asked of it, what it costs, and how its answers are read."""
