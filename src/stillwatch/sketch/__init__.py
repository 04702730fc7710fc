"""Text to marks: compiled, pure, seeded kernels over Arrow buffers."""
