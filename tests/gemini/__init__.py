"""A Gemini of our own: it keeps every byte that reaches it, answers what it is told to, and fails in every way it can."""
