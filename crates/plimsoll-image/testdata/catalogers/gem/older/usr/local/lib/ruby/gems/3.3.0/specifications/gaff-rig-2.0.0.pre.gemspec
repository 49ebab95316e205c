require_relative "lib/gaff/version"
Gem::Specification.new do |spec|
  spec.name = "gaff-rig"
  spec.version = Gaff::VERSION
  spec.licenses = %w[MIT Ruby]
end
