"""From text to a resolved experiment: parse, shape, resolve, meaning. Pure."""
