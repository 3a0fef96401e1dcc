"""What is written down, and how a change to it is found: pure."""
