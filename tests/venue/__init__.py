"""A fake exchange in a process of its own, which the real ccxt classes for Binance and MEXC spot talk to."""
