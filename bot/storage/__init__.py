"""SQLAlchemy behind the ports; one file per aggregate. A transaction of ours is a SQLAlchemy connection."""
