"""Is what clients saw one order of operations, each between its call and its answer? A pure checker of histories."""
