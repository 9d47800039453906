# Tells Tocsin of Chef runs that changed something or failed. See docs/connectors/change.md.
#
# client.rb:  require "/etc/chef/tocsin_chef"
#             handler = TocsinHandler.new(service: "payments")
#             report_handlers << handler
#             exception_handlers << handler
require "chef/handler"
require "chef/log"

class TocsinHandler < Chef::Handler
  MOST_NAMED = 5

  def initialize(service: nil, tocsin: "tocsin")
    super()
    @service = service
    @tocsin = tocsin
  end

  def report
    changed = Array(run_status.updated_resources).map(&:to_s)
    return if run_status.success? && changed.empty?

    # A list of arguments, never a line for a shell: names of resources come from cookbooks.
    told = system(@tocsin, "change", *arguments(changed), out: File::NULL)
    Chef::Log.warn("Tocsin was not told of this run (is `#{@tocsin}` installed, TOCSIN_CHANGE_TO and TOCSIN_CHANGE_SECRET set?)") unless told
  end

  private

  def arguments(changed)
    named = changed.first(MOST_NAMED).join(", ")
    title = run_status.success? ? "chef changed #{changed.length} resources: #{named}" : "chef run failed: #{run_status.exception.class}"
    [
      "--service", @service || node["tocsin"]&.fetch("service", nil) || node.name,
      "--kind", "config",
      "--status", run_status.success? ? "succeeded" : "failed",
      "--environment", node.chef_environment.to_s,
      "--title", title[0, 200],
      "--author", "chef on #{node.name}",
      "--id", run_status.run_id.to_s
    ]
  end
end
