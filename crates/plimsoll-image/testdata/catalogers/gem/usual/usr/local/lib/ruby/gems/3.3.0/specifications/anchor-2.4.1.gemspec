# -*- encoding: utf-8 -*-
# stub: anchor 2.4.1 ruby lib

Gem::Specification.new do |s|
  s.name = "anchor".freeze
  s.version = "2.4.1".freeze

  s.required_rubygems_version = Gem::Requirement.new(">= 0".freeze) if s.respond_to? :required_rubygems_version=
  s.metadata = { "name" => "not-this" } if s.respond_to? :metadata=
  s.authors = ["A. Sailor".freeze]
  s.date = "2024-01-02"
  s.description = "Holds ships; s.name = \"not-this\"".freeze
  s.licenses = ["MIT".freeze, "Ruby".freeze]
  s.required_ruby_version = Gem::Requirement.new(">= 2.5".freeze)
  s.rubygems_version = "3.3.7".freeze
  s.summary = "Holds ships".freeze

  s.installed_by_version = "3.3.7".freeze

  s.specification_version = 4

  s.add_runtime_dependency(%q<chain>.freeze, ["~> 1.0"])
end
