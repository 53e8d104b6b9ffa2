"""What requests used and cost: counted, priced, written down, added up."""
