"""Workers on nodes that see neither the study's folder nor its data: what goes there and back.

node            what a worker on a node does, as a plain class: it runs the executors of one machine
remote_worker   the same worker as the launch sees it, and what comes home of its trial
dispatch        what a node needs of this machine: data, own modules, a program's files
shipments       what a trial waits for before it goes there: its data, its pre-training stage
stages          a pre-training stage on its way there and home
tables          the list of a data set's clips, and what a stage is, without the data
connection      the cluster: its address, what its nodes offer, what a launch asks for
"""
