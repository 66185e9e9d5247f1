"""The site: pages by hand in `pages/`, the rest generated from the code when it is built."""
