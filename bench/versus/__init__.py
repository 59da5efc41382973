"""The comparison of Tilth with its peers: what is asked, of whom, and how it is measured."""
