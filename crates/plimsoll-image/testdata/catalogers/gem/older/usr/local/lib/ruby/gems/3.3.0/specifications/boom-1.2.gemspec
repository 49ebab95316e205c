Gem::Specification.new do |spec|
  spec.name     = 'boom'
  spec.version  = Gem::Version.new('1.2')
  spec.license  = 'MIT'
  spec.platform = Gem::Platform::RUBY
end
