"""What confirmed causes teach: read every night, adopted only if it wins on incidents held back."""
