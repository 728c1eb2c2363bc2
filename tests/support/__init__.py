"""What several folders of tests share: real engines and databases."""
