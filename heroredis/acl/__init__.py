"""Access control: users, what they may run and touch, and who was turned away. Knows no connection."""
