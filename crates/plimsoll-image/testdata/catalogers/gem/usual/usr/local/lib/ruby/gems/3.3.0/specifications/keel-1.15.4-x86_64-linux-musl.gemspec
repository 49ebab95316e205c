# stub: keel 1.15.4 x86_64-linux-musl lib
Gem::Specification.new do |s|
  s.name = "keel".freeze
  s.version = "1.15.4"
  s.platform = "x86_64-linux-musl".freeze
  s.licenses = ["MIT".freeze]
end
