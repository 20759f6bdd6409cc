"""A synthetic platform to try sayso on: its people, what they wrote and chose, and a story told with them."""
