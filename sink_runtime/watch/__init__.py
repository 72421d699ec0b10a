"""What the running sink says of itself: metrics, health, and the window that serves both."""
