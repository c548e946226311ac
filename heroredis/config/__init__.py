"""Redis's parameters: what each is, how its value is read and shown, and the file that sets them."""
