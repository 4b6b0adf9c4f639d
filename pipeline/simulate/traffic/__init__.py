"""Who is where when."""
