"""Pages made by hand: one ES module an application, called as it is."""
