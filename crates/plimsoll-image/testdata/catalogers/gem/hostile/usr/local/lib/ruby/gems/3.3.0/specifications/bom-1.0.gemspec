Gem::Specification.new do |s|
  s.name = "bom"
  s.version = "1.0"
end
