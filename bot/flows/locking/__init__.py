"""What keeps a change from happening: the policy in the world of now, locks by hand, and breaking the glass.

guarding   the world that a decision looks at, and refusals as people see them
locks      /deploy lock, unlock, freeze, unfreeze, status
telling    /deploy explain and tocsin policy explain
breaking   somebody went past every guard: the owner is paged, the digest tells
"""
