"""Any network of the project on pictures, folders, videos and cameras' jobs: JSON, and pictures with what it found."""
