"""The dataset `fauna_species`: rendered birds of twelve species that differ in parts."""
