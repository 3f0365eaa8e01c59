"""The site of the leaderboards: HTML pages with their data inside, which a browser opens from the disk."""
