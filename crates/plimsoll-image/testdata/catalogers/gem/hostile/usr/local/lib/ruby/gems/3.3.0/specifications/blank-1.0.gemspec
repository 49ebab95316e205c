s.name = ""
s.version = "1.0 beta"
s.licenses = [""]
