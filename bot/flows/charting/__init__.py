"""What is better looked at than read: charts in an incident's thread, a map on request, a chart that somebody asks for.

soon      charts will be drawn once first things are done
incident  the charts of an incident, one message that is edited in place
asked     what somebody asked to see
"""
