Gem::Specification.new do |s|
  s.name = "source-tree"
  s.version = "1"
end
