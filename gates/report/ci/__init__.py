"""The decision in the formats that CI systems read: annotations, JUnit, SARIF."""
