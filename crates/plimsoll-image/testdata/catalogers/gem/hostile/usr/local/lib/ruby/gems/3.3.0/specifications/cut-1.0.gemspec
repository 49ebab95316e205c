# stub: cut
Gem::Specification.new do |s|
  s.name = "cut".freeze
  s.version = "1.