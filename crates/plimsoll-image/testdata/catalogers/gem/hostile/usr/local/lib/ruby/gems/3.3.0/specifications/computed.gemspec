s.name = ["a", "b"].join
s.version = "1.#{minor}"
