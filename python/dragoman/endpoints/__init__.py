"""The public paths, one file each; ``router`` finds them, ``answers`` writes what they say."""
