"""The stages of the method, one file each: pure functions over arrays and tables, no Luigi, no global configuration."""
