# -*- encoding: utf-8 -*-

Gem::Specification.new do |s|
  s.name = %q{mast}
  s.version = "0.8.7"

  s.required_rubygems_version = Gem::Requirement.new(">= 0") if s.respond_to? :required_rubygems_version=
  s.authors = [%q{A. Sailor}]
  s.date = %q{2011-06-01}
  s.licenses = [%q{GPL-2}]
  s.platform = %q{java}
end
