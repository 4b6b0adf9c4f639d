"""What stands there: streets, props, sun and sky."""
