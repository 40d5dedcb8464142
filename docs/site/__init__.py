"""How README, the guides and the measurements become a site: `make site`."""
