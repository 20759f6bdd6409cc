"""What a platform's policy says, and the reference decision by it."""
