"""What confirmed causes teach: lessons, multipliers, how sure a lead is, and whether that wins on incidents held back."""
