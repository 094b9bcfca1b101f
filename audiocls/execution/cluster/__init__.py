"""Workers on nodes that see neither the study's folder nor its data: what goes there and back.

node        what a worker on a node does, as a plain class: it runs the executors of one machine
dispatch    what a node needs of this machine: data, own modules, a program's files
tables      the list of a data set's clips, without the data set
connection  the cluster: its address, what its nodes offer, what a launch asks for
"""
