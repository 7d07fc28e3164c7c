"""Files and folders that are either whole or not there, and files of a page's own."""
