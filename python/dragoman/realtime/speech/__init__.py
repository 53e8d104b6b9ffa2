"""What the frames of a session say, protocol by protocol."""
