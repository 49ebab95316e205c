s.authors = ["Jörg"]
s.name = "latin"
s.version = "1.0"
s.licenses = ["© Jörg"]
