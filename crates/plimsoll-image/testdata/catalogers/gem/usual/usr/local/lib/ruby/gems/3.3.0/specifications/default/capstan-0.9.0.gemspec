# stub: capstan 0.9.0 ruby lib
Gem::Specification.new do |s|
  s.name = "capstan".freeze
  s.version = "0.9.0"
  s.licenses = ["Ruby".freeze, "BSD-2-Clause".freeze]
end
