# Tells Tocsin of Puppet runs that changed something or failed. See docs/connectors/change.md.
#
# On the Puppet server: lib/puppet/reports/tocsin.rb of a module, and in puppet.conf  reports = store,tocsin
# /etc/puppetlabs/puppet/tocsin.yaml names the services of nodes:  { "^pay-[0-9]+": "payments" }
require "puppet"
require "yaml"

Puppet::Reports.register_report(:tocsin) do
  desc "Tells Tocsin of runs that changed something or failed."

  def process
    return if noop || !%w[changed failed].include?(status)

    # A list of arguments, never a line for a shell: names of nodes come from outside.
    told = system("tocsin", "change", *tocsin_arguments, out: File::NULL)
    Puppet.warning("Tocsin was not told of this run (is `tocsin` installed, TOCSIN_CHANGE_TO and TOCSIN_CHANGE_SECRET set?)") unless told
  end

  def tocsin_arguments
    changed = resource_statuses.values.select(&:changed).map(&:resource)
    [
      "--service", tocsin_service,
      "--kind", "config",
      "--status", status == "failed" ? "failed" : "succeeded",
      "--environment", environment.to_s,
      "--version", configuration_version.to_s,
      "--title", "puppet #{status} on #{host}: #{changed.first(5).join(", ")}"[0, 200],
      "--author", "puppet on #{host}",
      "--id", transaction_uuid.to_s
    ]
  end

  def tocsin_service
    file = File.join(Puppet[:confdir], "tocsin.yaml")
    services = File.exist?(file) ? YAML.safe_load(File.read(file)) || {} : {}
    found = services.find { |pattern, _| Regexp.new(pattern).match?(host) }
    found ? found.last : host
  end
end
