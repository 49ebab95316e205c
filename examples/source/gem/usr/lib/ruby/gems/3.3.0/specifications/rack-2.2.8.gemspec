Gem::Specification.new do |s|
  s.name = "rack".freeze
  s.version = "2.2.8"
  s.licenses = ["MIT".freeze]
  s.summary = "A web server interface".freeze
end
