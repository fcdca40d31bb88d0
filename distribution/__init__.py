"""What is made of httptop's command line when the package is built: manual page and completions."""
